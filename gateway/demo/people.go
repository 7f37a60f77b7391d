package demo

import (
	"fmt"
	"math/rand/v2"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audience"
)

// shares of the audience by channel, in percent.
var shares = []struct {
	kind    channels.Kind
	percent int
}{{channels.SMS, 60}, {channels.WebPush, 30}, {channels.App, 10}}

// prefixes are mobile prefixes in use; the digits behind them are drawn.
var prefixes = []string{"32", "33", "35", "36", "37", "38", "39", "70", "76", "77", "78", "79", "81", "82", "83", "84", "85", "86", "88", "89", "90", "91", "93", "94", "96", "97", "98"}

// resident is one drawn subscriber. Address is empty until a stand-in gives
// one (push, app).
type resident struct {
	kind     channels.Kind
	commune  area.Code
	language string
	address  channels.Address
}

// draw makes n residents over the communes, weighted by population. The same
// seed draws the same people.
func draw(rng *rand.Rand, communes []area.Unit, n int) []resident {
	bounds := make([]int, len(communes))
	total := 0
	for i, u := range communes {
		total += max(u.Population, 1000)
		bounds[i] = total
	}
	people := make([]resident, n)
	numbers := make(map[string]bool, n)
	for i := range people {
		p := &people[i]
		p.kind = kindOf(i, n)
		p.commune = communes[pick(bounds, rng.IntN(total))].Code
		p.language = "vi"
		if rng.IntN(20) == 0 {
			p.language = "en"
		}
		if p.kind == channels.SMS {
			p.address = channels.Address(number(rng, numbers))
		}
	}
	return people
}

// kindOf gives exact shares: the first 60 % are SMS, and so on.
func kindOf(i, n int) channels.Kind {
	upto := 0
	for _, s := range shares {
		upto += s.percent
		if i < (n*upto+50)/100 {
			return s.kind
		}
	}
	return shares[0].kind
}

func pick(bounds []int, x int) int {
	lo, hi := 0, len(bounds)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if x < bounds[mid] {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

func number(rng *rand.Rand, taken map[string]bool) string {
	for {
		s := fmt.Sprintf("+84%s%07d", prefixes[rng.IntN(len(prefixes))], rng.IntN(10_000_000))
		if _, err := audience.NormalizePhone(s); err == nil && !taken[s] {
			taken[s] = true
			return s
		}
	}
}
