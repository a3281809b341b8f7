"""The kinds of file that are read, by the ends of their names."""

TEXT_KINDS = frozenset({".csv", ".tsv", ".txt"})
WORKBOOK_KINDS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
READABLE_KINDS = TEXT_KINDS | WORKBOOK_KINDS
