"""`tanist simulate`: a user's own applications in the virtual world, on real codecs, in many lives at once."""
