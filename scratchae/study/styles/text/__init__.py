"""What the text of a file tells before anything runs: the names in it, what functions take, and what they return."""
