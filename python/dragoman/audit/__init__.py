"""The audit log: who did what, when and with which outcome, so that it shows when somebody has changed it."""
