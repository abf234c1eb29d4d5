"""What peers remember of changes of servers: accounts, the replicated record of each reign, and how it is told."""
