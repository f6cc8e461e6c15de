"""Run folders -> a report: one page, a notebook, a PDF, a folder of figures."""
