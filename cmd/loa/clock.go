package main

import "time"

// processClock is the time that a gateway goes by; nil: the machine's.
var processClock func() time.Time
