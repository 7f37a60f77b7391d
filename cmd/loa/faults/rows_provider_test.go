package faults

var providerRows = []row{
	{id: "F36", fault: "the carrier answers 503 for a while", pass: "others go on; at most one probe a second; full rate within 15 s of repair", from: short, play: carrierOut},
	{id: "F37", fault: "429 at 30 %, with and without Retry-After", pass: "accepted rate at least 85 % of the limit", from: short, play: throttled},
	{id: "F38", fault: "the carrier takes a message and its answer never comes, 5 %", pass: "second copies at most the doubts; settled within 90 s for 99 %", from: core, play: answersLost},
	{id: "F39", fault: "odd successes: HTML, no identifier, cut JSON, one byte a second, an endless body", pass: "in doubt, not lost; reads and waits are bounded", from: short, play: oddSuccesses},
	{id: "F40", fault: "one prefix of numbers is down", pass: "the others are not held back", from: short, play: prefixDown},
	{id: "F41", fault: "the first carrier dies at 40 %", pass: "the second takes only what the first certainly did not accept", from: short, play: carrierKilled},
	{id: "F42", fault: "credentials revoked at 30 %", pass: "at most 10 more calls; nobody marked failed; an operator hears of it", from: short, play: credentialsRevoked},
	{id: "F43", fault: "permanent codes mixed in", pass: "each code as its policy says; 30007 over 5 % stops and pages", from: short, play: codesMixed},
	{id: "F44", fault: "the carrier's queue overflows", pass: "slows down; the carrier's backlog stays within 30 s of rate", from: short, play: queueFull},
	{id: "F45", fault: "callbacks repeated, reversed, late, forged, unknown", pass: "the same end in every order; none forged is believed", from: short, play: callbackChaos},
	{id: "F46", fault: "the push service says 410, 404, 413, 429, 403", pass: "only what is gone is removed; the others are reached", from: short, play: pushRefused},
}
