package faults

var redisRows = []row{
	{id: "F11", fault: "Redis killed again and again", pass: "direct mode within 2 s, and back by itself; nobody gets two copies", from: core, play: redisKilled},
	{id: "F12", fault: "Redis absent the whole run", pass: "the alert ends, in at most twice the time", from: core, alone: true, play: redisAbsent},
	{id: "F13", fault: "FLUSHALL at 10, 50 and 90 %", pass: "noticed within 2 s, hints made anew; nobody gets two copies", from: core, play: redisEmptied},
	{id: "F14", fault: "streams deleted, groups destroyed, trimmed, set back", pass: "each healed within 5 s; nobody gets two copies", from: short, play: streamsWounded},
	{id: "F15", fault: "Redis rolled back to an old state", pass: "nobody who was reached is sent to again", from: short, play: redisRolledBack},
	{id: "F16", fault: "Redis's append-only file damaged", pass: "hints made anew within 15 s; an operator hears of it", from: short, play: appendOnlyDamaged},
	{id: "F17", fault: "Redis out of memory; an evicting policy", pass: "the backlog keeps falling; the policy is refused at start", from: short, play: memoryFull},
	{id: "F18", fault: "Redis's disk full", pass: "sending goes on; resumes within 5 s of space", from: short, play: diskFull},
	{id: "F21", fault: "Redis made read-only", pass: "resumes within 5 s; no flood of errors", from: short, play: readOnly},
	{id: "F22", fault: "a Sentinel failover with a split network", pass: "nobody lost, nobody gets two copies", from: short, play: splits},
	{id: "F23", fault: "Redis answers slowly", pass: "sending goes on within 2 s; the API answers within 1 s", from: short, play: redisSlow},
	{id: "F24", fault: "a bad network to Redis", pass: "at least a fifth of the rate; no goroutine left behind", from: short, play: badNetwork},
	{id: "F25", fault: "replies of Redis lost after the command was applied", pass: "provider calls are exactly those expected", from: core, play: repliesLost},
	{id: "F26", fault: "connections to Redis half open", pass: "noticed within 5 s", from: short, play: halfOpen},
	{id: "F27", fault: "Redis refuses clients, kills them, revokes the password", pass: "direct mode; resumes within 5 s of repair", from: short, play: clientsRefused},
	{id: "F28", fault: "another Redis, with foreign entries", pass: "no send comes of them", from: short, play: otherRedis},
}
