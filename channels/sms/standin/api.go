package standin

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	maxRequest = 64 << 10
	maxBody    = 1600 // characters of a message
	maxValid   = 36000
)

var numberForm = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func (c *Carrier) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("POST /2010-04-01/Accounts/{sid}/Messages.json", c.authorised(c.create))
	mux.Handle("GET /2010-04-01/Accounts/{sid}/Messages.json", c.authorised(c.list))
	mux.Handle("GET /2010-04-01/Accounts/{sid}/Messages/{message}", c.authorised(c.fetch))
	mux.Handle("GET /2010-04-01/Accounts/{account}", c.authorised(c.account))
	mux.HandleFunc("POST /faults", c.serveFaults)
	mux.HandleFunc("GET /stats", c.serveStats)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, 20404) })
	return mux
}

// authorised checks the credentials, and the account that the path names.
func (c *Carrier) authorised(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, token, _ := r.BasicAuth()
		mine := subtle.ConstantTimeCompare([]byte(user), []byte(c.opt.AccountSID)) &
			subtle.ConstantTimeCompare([]byte(token), []byte(c.opt.AuthToken))
		if mine != 1 || r.Method == http.MethodGet && c.broken.Load().Fault == FaultRevoked {
			w.Header().Set("WWW-Authenticate", `Basic realm="Twilio API"`)
			refuse(w, http.StatusUnauthorized, 20003)
			return
		}
		if sid := r.PathValue("sid"); sid != "" && sid != c.opt.AccountSID {
			refuse(w, http.StatusNotFound, 20404)
			return
		}
		next(w, r)
	})
}

// create takes a message, or says why not.
func (c *Carrier) create(w http.ResponseWriter, r *http.Request) {
	c.requests.Add(1)
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	parsed := r.ParseForm()
	to := r.PostForm.Get("To")
	fault := c.breaks(to)
	switch {
	case fault == FaultOutage:
		c.books.refused(to, http.StatusServiceUnavailable, 0, c.opt.Now())
		http.Error(w, "upstream connect error", http.StatusServiceUnavailable)
		return
	case fault == FaultRevoked:
		c.refuse(w, to, http.StatusUnauthorized, 20003)
		return
	case fault == FaultThrottle:
		c.throttle(w, to, c.broken.Load().RetryAfter)
		return
	case c.limit != nil && !c.limit.AllowN(c.opt.Now(), 1):
		c.throttle(w, to, int((c.opt.RetryAfter+time.Second-1)/time.Second))
		return
	case parsed != nil:
		c.refused.Add(1)
		c.refuse(w, to, http.StatusBadRequest, 20001)
		return
	}
	wrong := c.faulty(r.PostForm)
	code := cmp.Or(wrong, c.code(to))
	if wrong != 0 || atCreation(code) {
		c.refused.Add(1)
		c.refuse(w, to, http.StatusBadRequest, code)
		return
	}
	wait, ok := c.queue.enter(c.opt.Now())
	if !ok {
		c.refused.Add(1)
		c.refuse(w, to, http.StatusBadRequest, 21611)
		return
	}
	e, err := c.take(r.PostForm, code, wait, told(fault))
	if err != nil {
		refuse(w, http.StatusInternalServerError, 20500)
		return
	}
	c.answer(w, r, fault, e)
}

// refuse answers that nothing was taken, and keeps that.
func (c *Carrier) refuse(w http.ResponseWriter, to string, status, code int) {
	c.books.refused(to, status, code, c.opt.Now())
	refuse(w, status, code)
}

func (c *Carrier) throttle(w http.ResponseWriter, to string, seconds int) {
	c.throttled.Add(1)
	if seconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	c.refuse(w, to, http.StatusTooManyRequests, 20429)
}

// told is the status that the sender of a message learns, 0 if none that it can
// make sense of.
func told(fault Fault) int {
	switch fault {
	case FaultNone:
		return http.StatusCreated
	case FaultError:
		return http.StatusInternalServerError
	default:
		return 0
	}
}

// faulty returns the code of what is wrong with a request to send, or 0.
func (c *Carrier) faulty(form url.Values) int {
	to, body := form.Get("To"), form.Get("Body")
	if to == "" {
		return 21604
	}
	if !numberForm.MatchString(to) {
		return 21211
	}
	if form.Get("From") == "" && form.Get("MessagingServiceSid") == "" {
		return 21603
	}
	if body == "" || !utf8.ValidString(body) {
		return 21602
	}
	if utf8.RuneCountInString(body) > maxBody {
		return 21617
	}
	if s := form.Get("StatusCallback"); s != "" {
		if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return 21609
		}
	}
	if s := form.Get("ValidityPeriod"); s != "" {
		if n, err := strconv.Atoi(s); err != nil || n < 1 || n > maxValid {
			return 20001
		}
	}
	if bad, is := Verdict(to, c.opt.Seed, c.opt.Bad); is && bad.AtCreation {
		return bad.Code
	}
	if c.opt.RefuseAtCreation && !c.registered(body) {
		return 30007
	}
	return 0
}

// take enters a message in the books and sets its reports going. A code, if it
// is not 0, is reported when the message has waited.
func (c *Carrier) take(form url.Values, code int, wait time.Duration, answer int) (Entry, error) {
	callback := form.Get("StatusCallback")
	e := Entry{
		To: form.Get("To"), From: cmp.Or(form.Get("MessagingServiceSid"), form.Get("From")), Body: form.Get("Body"),
		Ref: refOf(callback), Status: "delivered", At: c.opt.Now().UTC(), Mono: monotonic(), Answer: answer,
	}
	if code != 0 {
		e.Status, e.Code = "undelivered", code
	} else if !c.registered(e.Body) {
		e.Status, e.Code = "undelivered", 30007
	} else if bad, is := Verdict(e.To, c.opt.Seed, c.opt.Bad); is {
		e.Status, e.Code = "undelivered", bad.Code
	}
	e, err := c.books.add(e, func(n int) string {
		return fmt.Sprintf("SM%016x%016x", mix(c.opt.Seed, uint64(n)), n) // #nosec G115 -- a length
	})
	if err != nil {
		return Entry{}, err
	}
	c.accepted.Add(1)
	if callback != "" {
		c.caller.report(wait, report{url: callback, entry: e, status: "sent"}, report{url: callback, entry: e, status: e.Status})
	}
	return e, nil
}

// refOf returns the last path element of a callback URL, unescaped.
func refOf(callback string) string {
	u, err := url.Parse(callback)
	if err != nil || callback == "" {
		return ""
	}
	_, last := path.Split(u.EscapedPath())
	ref, err := url.PathUnescape(last)
	if err != nil {
		return ""
	}
	return ref
}

// answer tells of a message taken, in the way the fault allows.
func (c *Carrier) answer(w http.ResponseWriter, r *http.Request, fault Fault, e Entry) {
	e.Status, e.Code = "queued", 0
	switch fault {
	case FaultError:
		refuse(w, http.StatusInternalServerError, 20500)
	case FaultHang:
		select {
		case <-r.Context().Done():
		case <-c.done:
		}
	case FaultCut:
		raw := encode(c.message(e))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = emit(w, raw[:len(raw)/2]) // the sender may be gone
	case FaultSlow:
		c.drip(w, r, encode(c.message(e)))
	case FaultHTML:
		w.Header().Set("Content-Type", "text/html")
		_ = emit(w, []byte("<!doctype html><title>OK</title><p>OK"))
	case FaultNameless:
		m := c.message(e)
		m.SID = ""
		reply(w, http.StatusCreated, m)
	case FaultEndless:
		c.pour(w, r)
	default:
		reply(w, http.StatusCreated, c.message(e))
	}
}

// endless is how much is poured, in octets.
const endless = 100 << 20

// pour sends far more than any answer has.
func (c *Carrier) pour(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	part := bytes.Repeat([]byte(" "), 64<<10)
	for sent := 0; sent < endless && r.Context().Err() == nil; sent += len(part) {
		if emit(w, part) != nil {
			return
		}
		c.poured.Add(int64(len(part)))
	}
}

// drip sends one byte a second.
func (c *Carrier) drip(w http.ResponseWriter, r *http.Request, raw []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for i := range raw {
		if emit(w, raw[i:i+1]) != nil {
			return
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-c.done:
			return
		}
	}
}

// list shows messages, the newest first. The filters of dates are refused:
// what they do to a message that is still queued is not for a stand-in to say.
func (c *Carrier) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if c.broken.Load().Fault == FaultOutage {
		http.Error(w, "upstream connect error", http.StatusServiceUnavailable)
		return
	}
	size, sizeOK := number(query, "PageSize", 50, 1, 1000)
	nth, nthOK := number(query, "Page", 0, 0, math.MaxInt32)
	if !sizeOK || !nthOK || nth > 0 && query.Get("PageToken") != pageToken(nth) || query.Has("DateSent<") || query.Has("DateSent>") {
		refuse(w, http.StatusBadRequest, 20001)
		return
	}
	found := c.books.latest(query.Get("To"), nth*size, size+1)
	more := len(found) > size
	found = found[:min(size, len(found))]
	messages := make([]message, len(found))
	for i, e := range found {
		if c.opt.Now().Before(e.At.Add(c.opt.Callbacks.Delay)) {
			e.Status, e.Code = "queued", 0
		}
		messages[i] = c.message(e)
	}
	answer := page{
		Messages: messages, Start: nth * size, End: nth*size + max(len(found)-1, 0), Page: nth, PageSize: size,
		FirstPageURI: pageURI(r.URL, 0), URI: r.URL.RequestURI(),
	}
	if more {
		answer.NextPageURI = new(pageURI(r.URL, nth+1))
	}
	if nth > 0 {
		answer.PreviousURI = new(pageURI(r.URL, nth-1))
	}
	reply(w, http.StatusOK, answer)
}

// number reads a number of the query within its bounds.
func number(query url.Values, name string, otherwise, least, most int) (int, bool) {
	if !query.Has(name) {
		return otherwise, true
	}
	n, err := strconv.Atoi(query.Get(name))
	return n, err == nil && n >= least && n <= most
}

// pageURI is the path of another page of the same list.
func pageURI(u *url.URL, nth int) string {
	query := u.Query()
	query.Set("Page", strconv.Itoa(nth))
	query.Del("PageToken")
	if nth > 0 {
		query.Set("PageToken", pageToken(nth))
	}
	return u.Path + "?" + query.Encode()
}

// pageToken is what must come with a page: nobody may count pages alone.
func pageToken(nth int) string { return fmt.Sprintf("PASM%08x", mix(0, uint64(nth))>>32) } // #nosec G115 -- not negative

func (c *Carrier) fetch(w http.ResponseWriter, r *http.Request) {
	sid, isJSON := cutJSONSuffix(r.PathValue("message"))
	e, known := c.books.Find(sid)
	if !isJSON || !known {
		refuse(w, http.StatusNotFound, 20404)
		return
	}
	reply(w, http.StatusOK, c.message(e))
}

func (c *Carrier) account(w http.ResponseWriter, r *http.Request) {
	sid, isJSON := cutJSONSuffix(r.PathValue("account"))
	if !isJSON || sid != c.opt.AccountSID {
		refuse(w, http.StatusNotFound, 20404)
		return
	}
	reply(w, http.StatusOK, account{
		SID: sid, Owner: sid, Name: "Stand-in carrier", Status: "active", Type: "Full",
		Created: date(c.opt.Now()), Updated: date(c.opt.Now()),
		URI: "/2010-04-01/Accounts/" + sid + ".json", Subresources: map[string]string{},
	})
}

func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // the answers are plain structs: this cannot fail
	}
	return raw
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = emit(w, encode(v)) // the sender may be gone
}

// emit writes a part of an answer declared as JSON.
func emit(w http.ResponseWriter, part []byte) error {
	_, err := w.Write(part) //nolint:gosec // JSON, never read as HTML
	return err
}
