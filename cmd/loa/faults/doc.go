// Package faults is the fault matrix: each row injects one fault into a
// province of real processes (package rig), proves that the fault happened,
// and holds what people got against what was promised. The results of a run
// are kept beside each other as JSON, one file a row.
//
// LOA_FAULTS names the set: core (the default, minutes), short or long.
// LOA_FAULTS_ROWS limits it to some rows ("F01,F13"). LOA_FAULTS_DIR is the
// folder of the results; rows that passed there at the same commit are not run
// again.
package faults
