package faults

var ledgerRows = []row{
	{id: "F19", fault: "fsync stalls for 3 s or fails, under Redis and under the ledger", pass: "nothing is acknowledged after a failed fsync; a clear 503", from: short, play: syncFails},
	{id: "F20", fault: "power cut at random moments, Redis and ledger", pass: "nothing acknowledged is lost", from: short, play: powerCut},
	{id: "F29", fault: "the ledger's disk full", pass: "new approvals refused with 507, none falsely acknowledged; the running alert ends", from: short, play: ledgerDiskFull},
	{id: "F30", fault: "the ledger locked by another program for 10 s", pass: "waits, then a clear error; nothing half written", from: short, play: ledgerLocked},
	{id: "F31", fault: "one byte changed in each of 100 pages of the ledger", pass: "each is found at the start or by the scrub, and refused", from: short, play: pagesDamaged},
	{id: "F32", fault: "an old backup restored after sending", pass: "starts on hold; nobody is sent to again without a release by two people", from: short, play: oldBackupRestored},
	{id: "F33", fault: "the clock steps, also backwards in a lease", pass: "no early expiry, no double send; a step over 2 s is said", from: short, play: clockSteps},
	{id: "F34", fault: "the clocks of two nodes differ", pass: "no send at or after the end; said within 30 s", from: short, play: clocksDiffer},
}
