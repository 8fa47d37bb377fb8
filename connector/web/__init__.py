"""HTTP in, HTTP out. `routes` is the table of contents."""
