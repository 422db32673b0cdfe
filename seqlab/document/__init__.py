"""How is the report written? Templates from `report/` and numbers from the analysis become one document."""
