package cap

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/gateway/alert"
)

// What authorities write though CAP asks for something else, and where the
// reader draws the line.
func TestRules(t *testing.T) {
	t.Parallel()
	const polygon = "20.9,107.6 20.9,107.9 21.1,107.9 21.1,107.6 20.9,107.6"
	update := func(refs string) string {
		return strings.Replace(with(t, ">Alert<", ">Update<"), "  <info>", "<references>"+refs+"</references><info>", 1)
	}
	const before = "bch.quangninh.example,QN-2024-0907-0,2024-09-07T11:00:00+07:00"
	tests := []struct{ name, text, want string }{
		{"C01 prefix", strings.NewReplacer("<?", "<?", "</", "</c:", "<", "<c:", "xmlns=", "xmlns:c=").Replace(sample), "C01"},
		{"C01 another root", with(t, "<alert xmlns=\""+Namespace+"\">", "<info xmlns=\""+Namespace+"\">"), "refused C01"},
		{"C01 not closed", strings.TrimSuffix(sample, "</alert>\n"), "refused C01"},
		{"C01 nothing", "", "refused C01"},
		{"C01 white space", " \n", "refused C01"},
		{"C01 no XML", "Bão số 3", "refused A12"},
		{"C01 attribute twice", with(t, "<alert ", `<alert xmlns="urn:oasis:names:tc:emergency:cap:1.1" `), "refused C01"},
		{"C01 XML 1.1", with(t, `"1.0"`, `"1.1"`), "refused C01"},
		{"C01 bytes, no text", with(t, "Bão", "B\xff"), "refused C01"},
		{"C01 control character", with(t, "Bão", "B&#1;"), "refused C01"},
		{"C01 second declaration", with(t, "<status>", `<?xml version="1.0"?><status>`), "refused C01"},
		{"C02 out of order", strings.Replace(with(t, "  <status>Actual</status>\n", ""), "  <info>", "<status>Actual</status><info>", 1), "C02"},
		{"C02 source after scope", with(t, "</scope>", "</scope><source>x</source>"), "C02"},
		{"C02 capitals", with(t, "<status>", "<Status>Test</Status><status>"), "refused C02"},
		{"C02 element of nobody", with(t, "<status>", "<mood>x</mood><status>"), "C02"},
		{"C02 text between", with(t, "<status>", "abc<status>"), "C02"},
		{"C02 scope twice", with(t, "<scope>", "<scope>Private</scope><scope>"), "refused C02"},
		{"C03 no scope", with(t, "<scope>Public</scope>", ""), "refused C03"},
		{"C03 no status", with(t, "<status>Actual</status>", ""), "refused C03"},
		{"C03 empty identifier", with(t, "QN-2024-0907-1<", "<"), "refused C03"},
		{"C04 blank in the identifier", with(t, "QN-2024-0907-1<", "QN 1<"), "C04"},
		{"C05 comma in the sender", with(t, "bch.quangninh.example", "a,b"), "C05"},
		{"C06 fraction", with(t, "13:15:00+", "13:15:00.5+"), "C06"},
		{"C06 Z", with(t, "13:15:00+07:00", "06:15:00Z"), "C06"},
		{"C06 no date", with(t, "2024-09-07T13:15:00+07:00", "7/9/2024 13h15"), "refused C06"},
		{"C06 no such day", with(t, "2024-09-07T13", "2024-02-30T13"), "refused C06"},
		{"C06 no such offset", with(t, "13:15:00+07:00", "13:15:00+15:00"), "refused C06"},
		{"C06 empty end", with(t, "2024-09-07T19:15:00+07:00", ""), "C06 C50"},
		{"C07 UTC with plus", with(t, "13:15:00+07:00", "06:15:00+00:00"), "ok"},
		{"C08 small letters", with(t, "Actual", "actual"), "refused C08"},
		{"C08 empty", with(t, "Actual", ""), "refused C08"},
		{"C09", with(t, ">Alert<", ">Notice<"), "refused C09"},
		{"C10", with(t, ">Public<", ">public<"), "refused C10"},
		{"C11 rule without scope", with(t, "</scope>", "</scope><restriction>x</restriction>"), "C11"},
		{"C11 scope without rule", with(t, ">Public<", ">Restricted<"), "A32 C11"},
		{"C12 no addresses", with(t, ">Public<", ">Private<"), "A32 C12"},
		{"C12 lone quotation mark", with(t, "</scope>", `</scope><addresses>"a b</addresses>`), "refused C12"},
		{"C15 test", with(t, "Actual", "Test"), "C15"},
		{"C15 exercise", with(t, "Actual", "Exercise"), "C15"},
		{"C20 reference of an Alert", with(t, "  <info>", "<references>abc</references><info>"), "C20"},
		{"C20 reference of an Update", update("abc"), "refused C20"},
		{"C20 reference without offset", update("a,b,2024-09-07T11:00:00"), "refused C20"},
		{"C21 none", with(t, ">Alert<", ">Update<"), "refused C21"},
		{"C21 Cancel without", with(t, ">Alert<", ">Cancel<"), "refused C21"},
		{"C21 two", update(before + "\n " + strings.Replace(before, "-0,", "-00,", 1)), "ok"},
		{"C23 itself in an Alert", with(t, "  <info>", "<references>bch.quangninh.example,QN-2024-0907-1,2024-09-07T13:15:00+07:00</references><info>"), "C23"},
		{"C23 later", update(strings.Replace(before, "T11", "T14", 1)), "C23"},
		{"C28 Cancel without a word", update(before)[:strings.Index(update(before), "<info>")] + "</alert>", "refused A17"},
		{"C41 out of order", strings.Replace(with(t, "    <event>Bão số 3</event>\n", ""), "    <contact>", "<event>Bão</event><contact>", 1), "C41"},
		{"C41 capitals", with(t, "<severity>", "<Severity>Minor</Severity><severity>"), "refused C41"},
		{"C41 event twice", with(t, "<event>", "<event>Lũ</event><event>"), "refused C41"},
		{"C42 no language", with(t, "<language>vi-VN</language>", ""), "C42"},
		{"C42 no tag", with(t, "vi-VN", "tiếng Việt"), "C42"},
		{"C43", with(t, ">Met<", ">Weather<"), "refused C43"},
		{"C44 no certainty", with(t, "<certainty>Observed</certainty>", ""), "C44"},
		{"C44 empty event", with(t, "<event>Bão số 3<", "<event><"), "C44"},
		{"C45", with(t, "Shelter", "Run"), "refused C45"},
		{"C46 urgency", with(t, "Immediate", "Now"), "refused C46"},
		{"C46 severity", with(t, "Extreme", "extreme"), "refused C46"},
		{"C47", with(t, "Observed", "Very Likely"), "C47"},
		{"C49", with(t, "<expires>", "<effective>2024-09-08T00:00:00+07:00</effective><expires>"), "C49"},
		{"C50", with(t, "<expires>2024-09-07T19:15:00+07:00</expires>", ""), "C50"},
		{"C51", with(t, "đổ bộ", strings.Repeat("ã", 160)), "C51"},
		{"C53", with(t, "<web>https://quangninh.example/", "<web>quangninh/"), "C53"},
		{"C54 category", with(t, "</alert>", strings.Replace(english, ">Met<", ">Geo<", 1)+"</alert>"), "C54"},
		{"C54 event code", with(t, "</alert>", strings.Replace(english, ">storm<", ">flood<", 1)+"</alert>"), "C54"},
		{"C56 no value", with(t, "<value>4</value>", ""), "C56"},
		{"C56 empty value", with(t, "<value>4</value>", "<value/>"), "C56"},
		{"C56 two pairs in one", with(t, "<value>07192</value>", "<value>07192</value><valueName>VN-NSO-2025</valueName><value>07195</value>"), "refused C56"},
		{"C58 HTML", with(t, "Ở trong nhà", "&lt;b&gt;Ở&lt;/b&gt; trong nhà"), "C58"},
		{"C58 HTML in CDATA", with(t, "Ở trong nhà", "<![CDATA[<b>Ở</b> trong nhà]]>"), "C58"},
		{"C58 less than", with(t, "Ở trong nhà", "gió &lt;75 km/h &amp; mưa"), "ok"},
		{"B12", with(t, "đổ bộ", "đổ\u202ebộ"), "B12"},
		{"C60 no name", with(t, "<areaDesc>đặc khu Cô Tô</areaDesc>", ""), "C60"},
		{"C60 out of order", with(t, "<areaDesc>đặc khu Cô Tô</areaDesc>", "<circle>21,107 1</circle><areaDesc>đặc khu</areaDesc>"), "C60"},
		{"C60 element of nobody", with(t, "<polygon>", "<Polygon><Polygons>1,2</Polygons></Polygon><polygon>"), "C60"},
		{"C61 empty", with(t, polygon, ""), "C61"},
		{"C61 words", with(t, polygon, "quanh đảo Cô Tô"), "refused C61"},
		{"C61 off the globe", with(t, polygon, "20,180.1 20,180.2 21,180.2 20,180.1"), "refused C61"},
		{"C61 blank after the comma", with(t, polygon, strings.ReplaceAll(polygon, ",", ", ")), "refused C61"},
		{"C62 touching", with(t, polygon, "20,107 20,108 20,107.5 21,107.5 20,107"), "C62"},
		{"C63 empty", with(t, "20.97,107.76 12", ""), "C63"},
		{"C63 no radius", with(t, "20.97,107.76 12", "20.97,107.76"), "refused C63"},
		{"C65 ceiling alone", with(t, "</area>", "<ceiling>100</ceiling></area>"), "C65"},
		{"C65 words", with(t, "</area>", "<altitude>cao</altitude></area>"), "C65"},
		{"C65 heights", with(t, "</area>", "<altitude>0</altitude><ceiling>+9842.5</ceiling></area>"), "ok"},
		{"C70 no type", with(t, "<mimeType>image/png</mimeType>", ""), "C70"},
		{"C71 size", with(t, "<uri>", "<size>-1</size><uri>"), "C71"},
		{"C71 relative", with(t, "https://quangninh.example/ban-do.png", "ban-do.png"), "C71"},
		{"C72 embedded", with(t, "</uri>", "</uri><derefUri>AAAA</derefUri>"), "C72"},
		{"C80 signature first", with(t, "<identifier>", `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo><Reference URI=""/></SignedInfo></Signature><identifier>`), "C80 C81"},
		{"style sheet", with(t, "<alert ", `<?xml-stylesheet href="x.xsl"?><alert `), "ok"},
	}
	for _, tt := range tests {
		rev, notes, err := read(tt.text, Options{})
		if got := verdict(t, rev, notes, err); got != tt.want {
			t.Errorf("%s: %s, want %s (%v %v)", tt.name, got, tt.want, err, notes)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	head := strings.Replace(with(t, ">Alert<", ">Cancel<")[:strings.Index(sample, "  <info>")+1], "</scope>",
		"</scope><references>bch.quangninh.example,QN-0,2024-09-07T11:00:00+07:00</references>", 1)
	rev, notes, err := read(head+"</alert>", Options{})
	if got := verdict(t, rev, notes, err); got != "C28" {
		t.Errorf("without a word: %s %v", got, err)
	}
	if rev != nil && len(rev.Targets()) != 0 {
		t.Errorf("targets %v", rev.Targets())
	}
	info := english[:strings.Index(english, "    <area>")] + "</info></alert>"
	rev, notes, err = read(head+info, Options{})
	if got := verdict(t, rev, notes, err); got != "A17" {
		t.Errorf("without an area: %s %v", got, err)
	}
	info = strings.Replace(info, "    <expires>", "<effective>2024-09-07T13:15:00+07:00</effective><expires>", 1)
	rev, notes, err = read(head+info, Options{})
	if got := verdict(t, rev, notes, err); got != "A17 C29" {
		t.Errorf("with effective: %s %v", got, err)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	text := with(t, "</scope>", `</scope><addresses> a  "b  c" d</addresses><code>x</code><code/><code>y</code>`)
	text = strings.Replace(text, "  <info>", `<incidents>"bão số 3" lũ</incidents><info>`, 1)
	rev, _, err := read(text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := [][]string{rev.Addresses, rev.Codes, rev.Incidents}
	want := [][]string{{"a", "b c", "d"}, {"x", "y"}, {"bão số 3", "lũ"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A rule that is broken a thousand times is not noted a thousand times.
func TestNotesAreBounded(t *testing.T) {
	t.Parallel()
	_, notes, err := read(with(t, "<parameter>", strings.Repeat("<parameter/>", 1000)+"<parameter>"), Options{})
	if err != nil || len(notes) != notesPerRule+1 {
		t.Errorf("%d notes, %v", len(notes), err)
	}
}

func TestPlacesAreNamed(t *testing.T) {
	t.Parallel()
	_, _, err := read(with(t, "Actual", "actual"), Options{})
	want := &Refusal{Rule: "C08", Text: `<status> is "actual", which is none of CAP's words for it`, Line: 6, Column: 3}
	if diff := cmp.Diff(want, err); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	_, notes, err := read(with(t, "Observed", "Very Likely"), Options{})
	if err != nil || len(notes) != 1 || notes[0].Line != 16 || notes[0].Column != 5 {
		t.Errorf("%+v %v", notes, err)
	}
}

// The offset of a time is kept whatever the machine's own zone is.
func TestOffsetIsKept(t *testing.T) {
	t.Parallel()
	rev, _, err := read(with(t, "13:15:00+07:00", "00:45:00-05:30"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := rev.Sent.Format(time.RFC3339); got != "2024-09-07T00:45:00-05:30" || rev.Status != alert.Actual {
		t.Errorf("sent %s", got)
	}
}
