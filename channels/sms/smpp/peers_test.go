package smpp

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"loa/channels"
)

// nodeModules is where the peers written in JavaScript are installed. Without
// them a test is skipped, or fails in CI.
func nodeModules(t *testing.T, module string) string {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("CI") == "true" {
		missing = t.Fatalf
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing("node is missing")
	}
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", ".ci", "npm", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, module)); err != nil {
		missing("npm module %s is missing", module)
	}
	return dir
}

// peer is a message centre in another language: it binds whoever has the
// password, throttles the second part of a message once, shows what it took and
// sends a receipt for it.
const peer = `
const smpp = require('smpp');
let n = 0, throttled = false;
const server = smpp.createServer({}, session => {
  session.on('error', () => {});
  session.on('bind_transceiver', pdu => {
    const good = pdu.system_id === process.env.ID && pdu.password === process.env.PASSWORD;
    session.send(pdu.response({ command_status: good ? 0 : smpp.ESME_RINVPASWD }));
  });
  session.on('enquire_link', pdu => session.send(pdu.response()));
  session.on('unbind', pdu => { session.send(pdu.response()); session.close(); });
  session.on('submit_sm', pdu => {
    const udh = pdu.short_message.udh, part = udh ? udh[0][udh[0].length - 1] : 1;
    if (part === 2 && !throttled) {
      throttled = true;
      session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
      return;
    }
    const id = 'm' + ++n;
    console.log(JSON.stringify({ id, part, sequence: pdu.sequence_number, to: pdu.destination_addr, from: pdu.source_addr,
      coding: pdu.data_coding, text: pdu.short_message.message, validity: pdu.validity_period !== '' }));
    session.send(pdu.response({ message_id: id }));
    session.send(new smpp.PDU('deliver_sm', { esm_class: 4, source_addr: pdu.destination_addr, destination_addr: pdu.source_addr,
      short_message: 'id:' + id + ' sub:001 dlvrd:001 submit date:2409071300 done date:2409071301 stat:DELIVRD err:000 text:' }));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`

func TestWithACentreInJavaScript(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "node", "-e", peer)
	cmd.Env = append(os.Environ(), "NODE_PATH="+nodeModules(t, "smpp"), "ID="+systemID, "PASSWORD="+password)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the centre does not listen")
	}
	origin := "smpp://127.0.0.1:" + lines.Text()
	l := &ledger{}
	s := openSender(t, section(origin), deps(origin, l.sink))
	sequences := map[int]bool{}
	for _, c := range []struct {
		text   string
		coding int
	}{
		{"Canh bao lu quet {[~]} 100%", 0}, {short, 8}, {"🌊 " + short, 8},
		{long, 8}, {strings.Repeat("Khan cap: roi khoi bo suoi €. ", 12), 0},
	} {
		m := message1(t, "")
		m.Body = []byte(c.text)
		ack, err := s.Send(t.Context(), m)
		if err != nil {
			t.Fatalf("send: %v", err)
		}
		parts, _ := split(c.text)
		shown, first := "", ""
		for i := range parts {
			var got struct {
				ID, To, From, Text     string
				Part, Sequence, Coding int
				Validity               bool
			}
			if !lines.Scan() || json.Unmarshal(lines.Bytes(), &got) != nil {
				t.Fatalf("the centre shows %q", lines.Text())
			}
			if got.Part != i+1 || "+"+got.To != m.To.Reveal() || got.From != source || got.Coding != c.coding || !got.Validity || sequences[got.Sequence] {
				t.Errorf("part %d is %+v", i+1, got)
			}
			sequences[got.Sequence] = true
			shown += got.Text
			if i == 0 {
				first = got.ID
			}
		}
		if shown != c.text || ack.ProviderRef != first {
			t.Errorf("sent %q, shown %q; %+v", c.text, shown, ack)
		}
		until(t, "the receipt", func() bool { return len(l.of(m.Ref)) == 1 && l.of(m.Ref)[0].Outcome == channels.Delivered })
	}
	wrong := openSender(t, strings.Replace(section(origin), password, "another", 1), deps(origin, nil))
	if err := wrong.Check(t.Context()); err == nil || channels.AsError(err).Code != "0x0E" {
		t.Errorf("a wrong password: %v", err)
	}
}
