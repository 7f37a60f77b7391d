package standin

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// message is the Message resource.
type message struct {
	AccountSID   string            `json:"account_sid"`
	APIVersion   string            `json:"api_version"`
	Body         string            `json:"body"`
	DateCreated  string            `json:"date_created"`
	DateSent     *string           `json:"date_sent"`
	DateUpdated  string            `json:"date_updated"`
	Direction    string            `json:"direction"`
	ErrorCode    *int              `json:"error_code"`
	ErrorMessage *string           `json:"error_message"`
	From         *string           `json:"from"`
	Service      *string           `json:"messaging_service_sid"`
	NumMedia     string            `json:"num_media"`
	NumSegments  string            `json:"num_segments"`
	Price        *string           `json:"price"`
	PriceUnit    *string           `json:"price_unit"`
	SID          string            `json:"sid"`
	Status       string            `json:"status"`
	Subresources map[string]string `json:"subresource_uris"`
	To           string            `json:"to"`
	URI          string            `json:"uri"`
}

// page is the list of messages.
type page struct {
	Messages     []message `json:"messages"`
	End          int       `json:"end"`
	FirstPageURI string    `json:"first_page_uri"`
	NextPageURI  *string   `json:"next_page_uri"`
	Page         int       `json:"page"`
	PageSize     int       `json:"page_size"`
	PreviousURI  *string   `json:"previous_page_uri"`
	Start        int       `json:"start"`
	URI          string    `json:"uri"`
}

// account is the Account resource, without its token.
type account struct {
	SID          string            `json:"sid"`
	Owner        string            `json:"owner_account_sid"`
	Name         string            `json:"friendly_name"`
	Status       string            `json:"status"`
	Type         string            `json:"type"`
	Created      string            `json:"date_created"`
	Updated      string            `json:"date_updated"`
	URI          string            `json:"uri"`
	Subresources map[string]string `json:"subresource_uris"`
}

// refusal is the body of every answer that is not a success.
type refusal struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`
	MoreInfo string `json:"more_info"`
	Status   int    `json:"status"`
}

// codeTexts are the stand-in's own words for the codes it answers with.
var codeTexts = map[int]string{
	20001: "A parameter is not valid",
	20003: "The credentials were not accepted",
	20404: "There is no such resource",
	20429: "Too many requests",
	20500: "The carrier met an error of its own",
	21211: "The number to send to is not valid",
	21602: "A body is required",
	21603: "A sender is required",
	21604: "A number to send to is required",
	21609: "The callback URL is not valid",
	21408: "The account may not send to this country",
	21610: "The number has opted out",
	21611: "The sender's queue is full",
	21612: "There is no way to this number",
	21614: "The number is not a mobile number",
	21617: "The body is too long",
	30001: "The queue overflowed",
	30003: "The handset cannot be reached",
	30005: "The handset is not known",
	30006: "A landline, or a carrier that cannot be reached",
	30007: "The text is not registered and was filtered",
	30008: "No reason was given",
	30036: "The message waited longer than it was valid",
}

func refuse(w http.ResponseWriter, status, code int) {
	reply(w, status, refusal{
		Code: code, Message: codeTexts[code], Status: status,
		MoreInfo: "https://www.twilio.com/docs/errors/" + strconv.Itoa(code),
	})
}

// message shows an entry as the API does.
func (c *Carrier) message(e Entry) message {
	uri := "/2010-04-01/Accounts/" + c.opt.AccountSID + "/Messages/" + e.SID
	at := date(e.At)
	m := message{
		AccountSID: c.opt.AccountSID, APIVersion: "2010-04-01", Body: e.Body, DateCreated: at, DateUpdated: at,
		Direction: "outbound-api", NumMedia: "0", NumSegments: segments(e.Body), SID: e.SID, Status: e.Status,
		Subresources: map[string]string{"media": uri + "/Media.json"}, To: e.To, URI: uri + ".json",
	}
	if strings.HasPrefix(e.From, "MG") && len(e.From) == 34 {
		m.Service = &e.From
		m.NumSegments = "0" // no sender chosen yet
	} else {
		m.From = &e.From
	}
	if e.Status != "queued" {
		m.DateSent = &at
	}
	if e.Code != 0 {
		text := codeTexts[e.Code]
		m.ErrorCode, m.ErrorMessage = &e.Code, &text
	}
	return m
}

// segments is a rough count, as a carrier's answer is not relied upon for it:
// 7-bit parts for plain ASCII, 16-bit parts for everything else.
func segments(body string) string {
	single, part := 160, 153
	if strings.IndexFunc(body, func(r rune) bool { return r > 0x7e }) >= 0 {
		single, part = 70, 67
	}
	n := len(utf16.Encode([]rune(body)))
	if n <= single {
		return "1"
	}
	return strconv.Itoa((n + part - 1) / part)
}

// date is RFC 2822 in GMT.
func date(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700") }

func cutJSONSuffix(s string) (string, bool) { return strings.CutSuffix(s, ".json") }
