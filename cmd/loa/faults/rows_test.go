package faults

// rows are the faults, in the order of the report.
var rows = []row{
	{id: "F02", fault: "all gateways killed at 60 %, started again", pass: "resumes within 3 s of being ready; second copies at most the calls open at the kill", from: core, play: allKilled},
	{id: "F11", fault: "Redis killed again and again", pass: "sending goes on without Redis and with it; nobody gets two copies", from: core, play: redisKilled},
	{id: "F13", fault: "FLUSHALL in the middle", pass: "noticed; nobody gets two copies", from: core, play: redisEmptied},
	{id: "F25", fault: "replies of Redis lost after the command was applied", pass: "nobody gets two copies", from: core, play: repliesLost},
}
