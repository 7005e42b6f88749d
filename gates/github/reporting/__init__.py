"""What people see on GitHub: the comment, the commit status, and the branch of pictures."""
