"""Couples rendered from the project's bodies: how they meet, touch without passing through each other, and are seen."""
