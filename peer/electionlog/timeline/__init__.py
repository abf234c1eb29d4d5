"""`tanist log timeline`: election logs as one page to look at, without a network."""
