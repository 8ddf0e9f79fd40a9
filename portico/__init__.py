"""Portico: organizations, members, permissions and invitations."""
