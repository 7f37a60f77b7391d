package cap

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// reads says what becomes of every real message: the rules noted, or the rule
// by which it is refused, and why that is right.
var reads = []struct{ file, want, why string }{
	{"atbb-2.49.0.1.276.DWD.PVW.1487857490473.4.conv.cap.xml", "ok", ""},
	{"atbb-Z_CAP_C_EDZW_20170223134450_PVW_4.xml", "ok", ""},
	{"cpl-CanadaNaad.xml", "C81", "signed twice; nobody has verified it"},
	{"cpl-NOAA_MultiplePolygons.xml", "ok", ""},
	{"cpl-ph.xml", "C15 C42 C81", "a signed test without a language"},
	{"cpl-sweden.xml", "A18 C41 C50 C60 C72", "elements of its own for the area, which leave it a name; text embedded; no end"},
	{"cpl-taiwan.xml", "ok", "begins with the mark of UTF-8"},
	{"fpas-alertswiss-POA-1216107687-4.xml", "C02 C23 C41 C44 C50 C58", "out of order, refers to itself, lacks category and certainty, HTML in texts"},
	{"fpas-alertswiss-TEST-1163.xml", "refused A17", "has no area"},
	{"fpas-gdacs-cap_1001150.xml", "C42 C50 C56", "no language, no end, a parameter without value"},
	{"fpas-gdacs-cap_1470644.xml", "refused C61", "a polygon goes beyond 180 degrees west, off the globe"},
	{"fpas-il-488abaaf-cad5-4d2b-93b2-703016878453.xml", "C61", "empty polygons beside geocodes"},
	{"fpas-kz-2.49.0.0.398.0-20250306-133701-0284797-00-EN.xml", "C62", "a polygon touches itself"},
	{"fpas-noaa-2.49.0.1.840.0.bde6c30c43ead9c23c42bea7-9a7c04.xml", "C60 C62", "polygons after geocodes, one touches itself"},
	{"fpas-test_cap_data_1.xml", "refused A20", "the polygon is open"},
	{"fpas-test_cap_data_expired_alert.xml", "refused A20", "the polygon is open"},
	{"google-canada.xml", "ok", ""},
	{"google-canada_errors.xml", "refused C21", "an Update that names nothing"},
	{"google-canada_signed.xml", "C81", "signed twice; nobody has verified it"},
	{"google-invalid.xml", "refused C03", "no scope: nobody can tell whether it is public"},
	{"google-wcatwc-warning.xml", "C42 C51", "no language, a headline of 173 characters"},
	{"naads-2example_CAPCP_with_Embedded_Large_Audio_File.xml", "C50 C71 C72 C81", "sound embedded, its address relative; no end; signed"},
	{"naads-4example_CAPCP_with_External_Large_Audio_File.xml", "C50 C81", "no end; signed"},
	{"oasis-cap_amber_alert_example.xml", "C50", "no end"},
	{"oasiscap-ipaws-5e6dd964023f1930ef638846.xml", "C72 C81", "sound embedded; signed"},
	{"oasiscap-ipaws-5e6dd9de023f1930ef6548d9.xml", "C28 C81", "a Cancel without a word; signed"},
	{"oasiscap-v1dot2_appendix_adot1.xml", "A18 C42 C50", "an area by its name alone, no language, no end"},
	{"oasiscap-v1dot2_appendix_adot2.xml", "C42", "no language"},
	{"oasiscap-v1dot2_appendix_adot3.xml", "refused A23", "a circle of radius 0 is an area in which nobody is"},
	{"older-earthquake.xml", "refused C01", "CAP 1.1"},
	{"older-nws-cap11.xml", "refused C01", "CAP 1.1"},
	{"sambro-Homeland_Sec_Adv.xml", "A18 C42 C50", "an area by its name alone, no language, no end"},
	{"sambro-Myanmar-Flood-MultiLanguage.xml", "A32 C01 C15 C42", "a restricted test with a prefix"},
	{"sambro-Myanmar-Flood-MultiLanguage_MultipleArea.xml", "A32 C01 C15 C42", "a restricted test with a prefix"},
	{"sambro-Philippines-Flood-MultiLanguage.xml", "A32 C01 C15 C42", "a restricted test with a prefix"},
	{"sambro-Severe_Thunderstorm_Warning.xml", "C42", "no language"},
	{"sambro-TropicalCyclone20150806.xml", "C42 C81", "no language; signed"},
	{"sambro-TropicalCyclone20150808.xml", "C42 C81", "no language; signed"},
	{"sambro-tsunami.xml", "refused A21", "the polygon crosses itself"},
	{"wmo-sc-invalid_certificate.xml", "C81", "signed; the certificate is not looked at"},
	{"wmo-sc-invalid_digest.xml", "C81", "signed; the digest is not looked at"},
	{"wmo-sc-invalid_signature.xml", "C81", "signed; the signature is not looked at"},
	{"wmo-sc-no_signature.xml", "ok", ""},
	{"wmo-sc-valid.xml", "C81", "signed; nobody has verified it"},
	{"feeds/nws-atom-cap11.xml", "refused C01", "a feed, not a message"},
}

func TestRealMessages(t *testing.T) {
	t.Parallel()
	dir := corpus(t)
	for _, tt := range reads {
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(tt.file)))
		if err != nil {
			t.Error(err)
			continue
		}
		rev, notes, err := Read(t.Context(), f, Options{})
		if got := verdict(t, rev, notes, err); got != tt.want {
			t.Errorf("%s: %s, want %s (%s)\n%v %v", tt.file, got, tt.want, tt.why, err, notes)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if rev != nil && len(rev.Infos) > 0 && (rev.Identifier == "" || rev.Infos[0].Event == "" || len(rev.Infos[0].Areas) == 0) {
			t.Errorf("%s: read, yet without event or area", tt.file)
		}
	}
}

// A message that comes into the folder needs a row, and a row a message.
func TestEveryRealMessageHasARow(t *testing.T) {
	t.Parallel()
	dir := corpus(t)
	var files, rows []string
	for _, pattern := range []string{"*.xml", "*/*.xml"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			name, err := filepath.Rel(dir, f)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, filepath.ToSlash(name))
		}
	}
	for _, row := range reads {
		rows = append(rows, row.file)
		if row.want != "ok" && row.why == "" {
			t.Errorf("%s: why?", row.file)
		}
	}
	slices.Sort(files)
	slices.Sort(rows)
	if !slices.Equal(files, rows) {
		t.Errorf("files %v\nrows %v", files, rows)
	}
}

// Every real message that is read without a gap can be written again, and the
// official schema accepts what is written.
func TestRealMessagesAreWrittenAgain(t *testing.T) {
	t.Parallel()
	dir, out := corpus(t), t.TempDir()
	var written []string
	for _, row := range reads {
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(row.file)))
		if err != nil {
			t.Fatal(err)
		}
		rev, _, err := Read(t.Context(), f, Options{})
		if closeErr := f.Close(); closeErr != nil {
			t.Error(closeErr)
		}
		if err != nil || rev.Conforms() != nil {
			continue
		}
		to := filepath.Join(out, filepath.Base(row.file))
		writeFile(t, to, rev)
		written = append(written, to)
	}
	if len(written) < 20 {
		t.Errorf("only %d messages are fit to be written again", len(written))
	}
	if report, err := lint(t, written...); err != nil {
		t.Errorf("%v\n%s", err, report)
	}
}
