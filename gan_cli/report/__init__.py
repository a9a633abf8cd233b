"""What a run or a sweep came to, as pages to read without a server; no torch in here."""
