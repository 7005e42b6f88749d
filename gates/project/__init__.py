"""Write the first files of a project: contract, policy, workflows, or a whole starter repository."""
