package gpu

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/finding"
)

// againTime bounds the second look at the nodes: it may come after everything else took too long.
const againTime = 5 * time.Second

// lookAgain takes back what smoke jobs found on nodes that have gone, or gone out of service,
// since the nodes were listed. Clusters that grow and shrink do that every day.
func (s *section) lookAgain(ctx context.Context, client kubernetes.Interface) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), againTime)
	defer cancel()
	for _, t := range s.smoke.all() {
		if t.outcome != unplaced && t.outcome != refused {
			continue
		}
		why, err := changeOf(ctx, client, s.terms, t.node.name)
		if err != nil {
			return // what was found stands
		}
		if why != "" {
			t.outcome = prevented
			t.why = finding.NotDecided(t.why.Expected, why+"; "+t.why.Found, "the node was well when the run began", "run it again").Because(t.why.Unwrap())
		}
	}
}

// changeOf says what became of a node that was usable, "" if it still is. It is listed by its
// name: the runner has no right to get it.
func changeOf(ctx context.Context, client kubernetes.Interface, terms terms, name string) (string, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()})
	if err != nil {
		return "", err
	}
	now := &fleet{}
	for i := range list.Items {
		now.add(&list.Items[i], terms)
	}
	switch {
	case now.all == 0:
		return "the node is gone", nil
	case len(now.nodes) > 0 && now.nodes[0].obstacle() != "":
		return "the node is now " + now.nodes[0].obstacle(), nil
	}
	return "", nil
}
