"""Launchers: ways of making a candidate. Each gets the policy's ``train`` and a folder to fill."""
