// Package templates holds the wording of every message: messages.csv, one row
// per template, form and language with its typed slots, and words.csv, the
// fixed lists that slots choose from. It is data and knows no other package.
package templates

import "embed"

// FS holds messages.csv and words.csv.
//
//go:embed messages.csv words.csv
var FS embed.FS
