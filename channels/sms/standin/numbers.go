package standin

import "hash/fnv"

// The codes a bad number may have, and whether the API says so at once or a
// status callback says so later.
var badCodes = []Badness{
	{Code: 21211, AtCreation: true}, // not a valid number
	{Code: 21610, AtCreation: true}, // has opted out
	{Code: 21614, AtCreation: true}, // not a mobile number
	{Code: 30003},                   // handset unreachable
	{Code: 30005},                   // handset unknown
	{Code: 30006},                   // landline or unreachable carrier
	{Code: 30008},                   // no reason given
}

// Badness is what is wrong with a number.
type Badness struct {
	Code       int
	AtCreation bool
}

// Verdict says what is wrong with a number. It depends on its arguments alone,
// so a test can tell beforehand. Its second result is false for a good number.
func Verdict(number string, seed uint64, share float64) (Badness, bool) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(number)) // a hash never fails
	drawn := mix(seed, h.Sum64())
	if unit(drawn) >= share {
		return Badness{}, false
	}
	return badCodes[mix(drawn, 1)%uint64(len(badCodes))], true
}

// mix is the finalizer of SplitMix64 over both arguments.
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit maps a draw to [0, 1).
func unit(n uint64) float64 { return float64(n>>11) / (1 << 53) }
