"""Answers that are kept, and answers under way that several have asked for."""
