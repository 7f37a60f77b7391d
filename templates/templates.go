// Package templates holds the wording of every message: messages.csv, one row
// per template, form and language with its typed slots; acts.csv, what each
// template may be sent for and who must sign it; words.csv, the fixed lists that
// slots choose from; and under web the page templates with
// their texts and assets. It is data and knows no other package.
package templates

import "embed"

// FS holds messages.csv, acts.csv, words.csv and the folder web. web/live.js and
// web/console/console.js are built from the .ts beside them.
//
//go:generate go tool -modfile=../.ci/tools/go.mod esbuild web/live.ts --bundle --minify --format=esm --target=es2020 --charset=utf8 --log-level=warning --outfile=web/live.js
//go:generate go tool -modfile=../.ci/tools/go.mod esbuild web/console/console.ts --bundle --minify --format=esm --target=es2022 --charset=utf8 --log-level=warning --outfile=web/console/console.js
//go:embed messages.csv acts.csv words.csv web/*.html web/texts.csv web/page.css web/live.js web/icon.svg web/console/*.html web/console/texts.csv web/console/console.css web/console/console.js
var FS embed.FS
