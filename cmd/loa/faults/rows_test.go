package faults

import (
	"cmp"
	"slices"
)

// rows are the faults, in the order of the report. A row without a play is
// listed there as not run.
var rows = slices.SortedFunc(slices.Values(slices.Concat(processRows, redisRows, ledgerRows, providerRows, deskRows, soakRows)),
	func(a, b row) int { return cmp.Compare(a.id, b.id) })
