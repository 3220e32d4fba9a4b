package harness

import "testing"

func TestProcessAnswersAndEndsWhenItsParentLetsGo(t *testing.T) {
	p, err := Start("echo", "first")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	for _, want := range []string{"first", "second"} {
		if want == "second" {
			if err := p.Send(want); err != nil {
				t.Fatal(err)
			}
		}
		var got string
		if err := p.Receive(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("answer %q, want %q", got, want)
		}
	}
	if err := p.Close(); err != nil {
		t.Errorf("a part whose parent let go ended with %v, want nil", err)
	}
}

func TestProcessThatFailsIsNoticed(t *testing.T) {
	for _, name := range []string{"fail", "no such part"} {
		p, err := Start(name, nil)
		if err != nil { // it ended before its arguments were sent, and that was noticed
			continue
		}
		var v any
		if err := p.Receive(&v); err == nil {
			t.Errorf("%s: an answer %v, want an error", name, v)
		}
		if err := p.Close(); err == nil {
			t.Errorf("%s: ended with status 0", name)
		}
	}
}

func TestKilledProcessIsReaped(t *testing.T) {
	p, err := Start("echo", "x")
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if p.cmd.ProcessState == nil {
		t.Error("the process was not waited for")
	}
}
