"""The user's repository: the policy's folder, and the policies of the default branch and of the base commit."""
