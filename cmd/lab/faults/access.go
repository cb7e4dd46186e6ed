package faults

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"aiv.internal/conformance/cmd/lab/kubeconfig"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// damaged is what is left of a kubeconfig that was cut off while it was copied.
const damaged = "apiVersion: v1\nkind: Config\nclusters:\n- cluster: {certificate-authority-data: LS0t\n"

func damageKubeconfig(_ context.Context, lab *Lab, _ func([]byte) error) error {
	return os.WriteFile(lab.Dir.Kubeconfig(), []byte(damaged), 0o600)
}

// restoreKubeconfig makes the runner's kubeconfig anew, which needs no copy of the old one.
func restoreKubeconfig(ctx context.Context, lab *Lab, _ []byte) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	return seed.RunnerKubeconfig(ctx, cluster, lab.Dir)
}

func expireCertificate(_ context.Context, lab *Lab, _ func([]byte) error) error {
	authority, err := pki.Read(lab.Dir.PKI(pki.ClusterCA))
	if err != nil {
		return err
	}
	pair, err := authority.Issue(pki.Request{CommonName: topology.ServiceAccount, NotAfter: time.Now().Add(-time.Hour)})
	if err != nil {
		return err
	}
	return kubeconfig.Write(lab.Dir, lab.Dir.Kubeconfig(), topology.Namespace,
		kubeconfig.User{Name: topology.ServiceAccount, Certificate: pair})
}

// replacement changes the answers file back and forth.
type replacement struct{ from, to string }

func (r replacement) back() replacement { return replacement{r.to, r.from} }

// answerInstead replaces one line of the answers file, which must be there once. Other faults
// of the answers may be planted and mended in between, in any order.
func answerInstead(from, to string) func(context.Context, *Lab, func([]byte) error) error {
	return func(_ context.Context, lab *Lab, _ func([]byte) error) error {
		return replacement{from, to}.do(lab)
	}
}

// answerAgain undoes answerInstead(from, to).
func answerAgain(from, to string) func(context.Context, *Lab, []byte) error {
	return func(_ context.Context, lab *Lab, _ []byte) error {
		return replacement{from, to}.back().do(lab)
	}
}

// answerFault completes a fault that is the replacement of one line of the answers file.
func answerFault(fault Fault, from, to string) Fault {
	fault.Answers, fault.Break, fault.Mend = true, answerInstead(from, to), answerAgain(from, to)
	return fault
}

func (r replacement) do(lab *Lab) error {
	path := lab.Dir.Answers()
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := "\n" + string(content)
	from, to := "\n"+r.from+"\n", "\n"+r.to+"\n"
	if strings.Count(text, from) != 1 {
		if strings.Contains(text, to) {
			return nil
		}
		return fmt.Errorf("%s does not hold the line %q exactly once: run `lab up` to write it anew", path, r.from)
	}
	return os.WriteFile(path, []byte(strings.Replace(text, from, to, 1)[1:]), 0o644)
}
