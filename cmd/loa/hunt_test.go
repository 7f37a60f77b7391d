package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"loa/channels"
	push "loa/channels/webpush/standin"
	"loa/cmd/loa/rig"
)

// hunt finds many needles in a place at once.
type hunt struct {
	needles map[int]map[string]needle // by length, then by bytes
	begins  []bool                    // by hash: four bytes that a needle begins with
}

// needle is a form of something secret. One that is a whole number is none
// within a longer one: a time in nanoseconds has many digits.
type needle struct {
	name  string
	whole bool
}

func newHunt() *hunt { return &hunt{map[int]map[string]needle{}, make([]bool, 1<<24)} }

func beginning(b []byte) uint32 { return binary.LittleEndian.Uint32(b) * 2654435761 >> 8 }

func (h *hunt) add(name string, forms ...[]byte) {
	for _, f := range forms {
		h.put(f, needle{name, false})
	}
}

func (h *hunt) put(form []byte, n needle) {
	if h.needles[len(form)] == nil {
		h.needles[len(form)] = map[string]needle{}
	}
	h.needles[len(form)][string(form)] = n
	h.begins[beginning(form)] = true
}

// text adds a text as it is, in hexadecimal and in base64.
func (h *hunt) text(name, s string) {
	h.add(name, []byte(s), []byte(hex.EncodeToString([]byte(s))), []byte(strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "=")))
}

// key adds a text in base64 and what it stands for.
func (h *hunt) key(t testing.TB, name, s string) {
	t.Helper()
	h.text(name, s)
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	raw, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		t.Fatalf("%s is not base64: %v", name, err)
	}
	h.add(name, raw, []byte(hex.EncodeToString(raw)), []byte(plain))
}

// phone adds a number of ten digits as people and machines write it.
func (h *hunt) phone(name, e164 string) {
	digits := strings.TrimPrefix(e164, "+")
	local := "0" + strings.TrimPrefix(digits, "84")
	for _, s := range []string{digits, "00" + digits, local, local[:4] + " " + local[4:7] + " " + local[7:], "84 " + local[1:3] + " " + local[3:6] + " " + local[6:]} {
		h.put([]byte(s), needle{name, true})
	}
	h.add(name, []byte(hex.EncodeToString([]byte(digits))), []byte(base64.StdEncoding.EncodeToString([]byte(e164))))
	n, _ := strconv.ParseUint(digits, 10, 64)
	var big [8]byte
	binary.BigEndian.PutUint64(big[:], n)
	h.add(name, big[2:]) // as SQLite keeps an integer of this size
}

// in names the needles that are in a place.
func (h *hunt) in(place []byte) []string {
	found := map[string]bool{}
	for i := 0; i+4 <= len(place); i++ {
		if !h.begins[beginning(place[i:])] {
			continue
		}
		for n, forms := range h.needles {
			if i+n > len(place) {
				continue
			}
			f, ok := forms[string(place[i:i+n])]
			amid := i > 0 && digit(place[i-1]) || i+n < len(place) && digit(place[i+n])
			if ok && (!f.whole || !amid) {
				found[f.name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// needles are all that must stand nowhere.
func needles(r *rig.Rig) *hunt {
	r.Helper()
	h := newHunt()
	for i, p := range r.People {
		name := fmt.Sprintf("%s of person %d", p.Kind, i)
		switch p.Kind {
		case channels.SMS:
			h.phone(name, p.Address)
		case channels.App:
			h.key(r, name, p.Address)
		default:
			var s push.Subscription
			if err := json.Unmarshal([]byte(p.Address), &s); err != nil || s.Auth == "" || s.P256dh == "" {
				r.Fatalf("a subscription without keys: %v", err)
			}
			h.text(name, s.Endpoint[strings.LastIndex(s.Endpoint, "/")+1:])
			h.key(r, name, s.P256dh)
			h.key(r, name, s.Auth)
		}
	}
	h.phone("the number of a row refused", refused)
	h.phone("the number of the canary", canaryPhone)
	h.phone("the number of somebody on duty", dutyPhone)
	h.text("the carrier's token", rig.AuthToken)
	h.text("the carrier's password", rig.Account+":"+rig.AuthToken)
	h.text("the second carrier's password", rig.Password)
	h.text("a wrong password of a carrier", wrongPassword)
	h.text("the URL of a webhook", hookPath)
	h.text("the token of a webhook", hookToken)
	h.text("the URL of the heartbeat", beatPath)
	h.key(r, "the master key", rig.Master)
	h.key(r, "the push key", r.PushKey().Reveal())
	for i, s := range []string{r.Token(0), r.Token(1), wrongToken} {
		h.text(fmt.Sprintf("token %d", i), strings.TrimPrefix(s, "loa_"))
	}
	return h
}

// What stands nowhere besides the people's addresses and the rig's keys.
const (
	refused       = "+84987654321"
	canaryPhone   = "+84904040404"
	dutyPhone     = "+84968686868"
	wrongToken    = "loa_AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJKKK"
	wrongPassword = "wr0ngwr0ngwr0ngwr0ngwr0ngwr0ng12"
	hookPath      = "hook-8Jx2kQwV5mTzR7Yb"
	hookToken     = "bearer-Zq4vN9sLd3Fg6Hp1"
	beatPath      = "beat-3Cw7uXe1RtKo9Mn5"
)

// place is somewhere that Loa writes to, and what it is known to write there.
type place struct {
	name    string
	content []byte
	known   []string
}

// search looks for what must not be there, for what must, and for a needle that
// is hidden there on purpose.
func (h *hunt) search(t testing.TB, pl place) {
	t.Helper()
	for _, known := range pl.known {
		if !bytes.Contains(pl.content, []byte(known)) {
			t.Errorf("%s (%d bytes): no %q: it is not searched", pl.name, len(pl.content), known)
		}
	}
	if found := h.in(pl.content); len(found) > 0 {
		t.Errorf("%s (%d bytes): %d secrets, the first are %q", pl.name, len(pl.content), len(found), found[:min(3, len(found))])
	}
	middle := len(pl.content) / 2
	before, after := pl.content[max(0, middle-100):middle], pl.content[middle:min(len(pl.content), middle+100)]
	for n, forms := range h.needles {
		for form, f := range forms {
			if !slices.Contains(h.in(slices.Concat(before, []byte(" "+form+" "), after)), f.name) {
				t.Errorf("%s: a hidden needle of %d bytes is not found: %s", pl.name, n, f.name)
			}
			break
		}
	}
}
