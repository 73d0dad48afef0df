"""The digest's files: the report as HTML and PDF, the chart, the records. All are made from a digest's frozen figures and ledger entries.

`html.html_of` and `pdf.pdf_of` render the same `document`, whose model is in `shape`. `chart.chart_of` is the picture for messages and
`bot.domain.digest.chart.chart_words` its alt text. `records` has the entries. The figures are counted in `bot.store.digest_figures`.
"""
