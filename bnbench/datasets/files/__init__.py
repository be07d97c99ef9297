"""Tables in files: what is at the path, what is in it, and the table it makes."""
