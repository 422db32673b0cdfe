"""The document: words from `report/`, numbers from the analysis, woven into Quarto Markdown."""
