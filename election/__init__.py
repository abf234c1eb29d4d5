"""The pure core of tanist: terms, rosters, ballots, the replicated log. No clock, socket, file or log in here."""
