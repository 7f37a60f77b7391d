package faults

var processRows = []row{
	{id: "F01", fault: "a gateway of several killed, again and again", pass: "its work resumes within 12 s, though the carrier has no room to spare; in doubt at most the calls open at each kill", from: core, play: oneKilled},
	{id: "F02", fault: "all gateways killed at 60 %, started again", pass: "resumes within 3 s of being ready; second copies at most the calls open at the kill", from: core, play: allKilled},
	{id: "F03", fault: "the gateway killed while an approval commits", pass: "approved or not, never half; nothing acknowledged is absent", from: core, play: killedAtApproval},
	{id: "F04", fault: "a crash at every durable step", pass: "the restart heals each; every history is valid", from: short, play: crashSweep},
	{id: "F05", fault: "a gateway frozen in mid-send, thawed after its leases ended", pass: "no send starts under a stale fence; at most one second copy a call in flight", from: core, play: frozen},
	{id: "F06", fault: "rolling restarts by SIGTERM", pass: "drains within 5 s; nobody in doubt, nobody gets two copies", from: short, play: rollingRestarts},
	{id: "F07", fault: "a recipient that makes the driver panic", pass: "that one is quarantined, all others are reached; an operator hears of it", from: short, play: poisoned},
	{id: "F08", fault: "memory capped", pass: "the alert ends; memory stays bounded", from: short, play: memoryCapped},
	{id: "F09", fault: "no file descriptors left", pass: "nothing lost; recovers within 5 s", from: short, play: noFiles},
	{id: "F10", fault: "the processor starved", pass: "no lease is taken from a worker that lives", from: short, alone: true, play: starved},
}
