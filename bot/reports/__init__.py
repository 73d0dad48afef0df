"""The digest's files: the report as HTML and PDF, the chart, the records. All of it is made of a digest's frozen figures, and of entries.

`html.html_of` and `pdf.pdf_of` show the same `document`, in the shape of `shape`; `chart.chart_of` is the picture for messages, and
`bot.domain.digest.chart.chart_words` its alt text; `records` has the entries. What is counted, and when, is decided elsewhere.
"""
