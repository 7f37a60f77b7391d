package faults

var deskRows = []row{
	{id: "F53", fault: "stopped at 60 %", pass: "no send starts later than 1 s after the stop; the correction goes to all who were reached and to nobody else", from: core, play: stoppedAt60},
	{id: "F54", fault: "a stop races the approval", pass: "one order, the same everywhere", from: short, play: stopRacesApproval},
	{id: "F55", fault: "an Extreme alert while five bulletins run", pass: "its first send within 500 ms; no bulletin starts later than 1 s", from: short, play: extremeAmongBulletins},
	{id: "F57", fault: "the same request ten times at once", pass: "one alert", from: short, play: sameTenTimes},
}
