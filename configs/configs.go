// Package configs embeds the files that ship with the binary. It must never
// import another room.
package configs

import "embed"

// Areas holds the facts about administrative units: areas.csv lists the units
// in force, areas-old.csv those that have ended and their successors.
//
//go:embed areas.csv areas-old.csv
var Areas embed.FS
