"""`make results`: a plan of recipes and data sets -> trained runs and the tables of docs/results.md."""
