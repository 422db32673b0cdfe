"""Finished trainings that travel with the code, for verdicts on quality: `report/reference/`."""
