// Package gpu checks section 1.2: whether a notebook gets a working GPU on each GPU node, and
// if not, which layer is broken. One CUDA smoke job a node, placed by the scheduler, and one pod
// without a GPU request are started at once; the rest is held against the list of nodes. It
// changes no node, and waits for no GPU that another pod holds: its pods have the namespace's
// default priority, and so as little or as much right of way as a user's, or the answered one.
package gpu

import (
	"context"
	"sync"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/throwaway"
)

var _ = check.Subsection("1.2", func() {
	check.Chain("the CUDA smoke job", func() {
		s := &section{}
		// Not bound to an item: each has an answer of its own, and the job needs none of them.
		ready := check.Prepare("1.2", func(ctx context.Context, kit *throwaway.Kit, _ answers.GPU) error {
			return s.start(ctx, kit)
		})
		s.ready = ready
		check.Added("1.2.1", s.checkModel)
		check.Added("1.2.2", s.checkCount)
		check.Added("1.2.3", s.checkPlugin)
		check.Added("1.2.4", s.checkOperator)
		check.Added("1.2.5", s.checkLabels)
	})
})

// section is what the items of 1.2 share.
type section struct {
	// ready ends the check where the pods could not be started.
	ready  func()
	fleet  *fleet
	failed error
	// terms are what the nodes were held against.
	terms  terms
	chosen []node
	smoke  *smoke
	// control is nil where there was no node to start it on.
	control *control
}

// start lists the nodes and runs the pods, all at the same time.
func (s *section) start(ctx context.Context, kit *throwaway.Kit) error {
	ctx, cancel := context.WithTimeout(ctx, chainTime)
	defer cancel()
	s.survey(ctx, kit.Client())
	if s.failed != nil {
		// For s.ready, whatever a later look at the nodes shows: no pod was started.
		return kubeerr.FromAPI(s.failed, "list the nodes")
	}
	if !check.Wanted("1.2.1", "1.2.3", "1.2.5") {
		return nil
	}
	gpu := check.Answers().GPU
	if vendorOf(s.asked(gpu)) != "" {
		return nil
	}
	s.chosen = s.fleet.choose(gpu.NodeLimit())
	s.smoke = newSmoke(kit, gpu, s.fleet.claims, s.chosen)
	var pods sync.WaitGroup
	var beside []throwaway.PodOptions
	if check.Wanted("1.2.5") && len(s.chosen) > 0 {
		beside = append(beside, controlPod("no-gpu", gpu, s.chosen[0]))
		pods.Go(func() { s.control = runControl(ctx, kit, gpu, s.chosen[0], s.smoke.turns) })
	}
	pods.Go(func() { s.smoke.run(ctx, beside...) })
	pods.Wait()
	s.lookAgain(ctx, kit.Client().Kube)
	return nil
}

// asked is the name of what pods ask for: a DeviceClass or a resource.
func (s *section) asked(gpu answers.GPU) string {
	if s.fleet.claims {
		return gpu.DeviceClass
	}
	return gpu.Resource()
}

// survey lists the nodes once.
func (s *section) survey(ctx context.Context, client throwaway.Client) {
	file := check.Answers()
	s.terms = terms{
		resource: file.GPU.Resource(), selector: file.GPU.NodeSelector, runner: file.Runner.NodeSelector,
		tolerations: append(tolerationsFor(file.GPU.Taints), file.Runner.Tolerations...),
	}
	if class := file.GPU.DeviceClass; class != "" {
		var err error
		if s.terms.published, err = devicesOf(ctx, client.Kube, class); err != nil {
			s.failed = kubeerr.FromAPI(err, "find the devices of DeviceClass "+class+" (gpu.deviceClass)")
			return
		}
	}
	s.fleet, s.failed = survey(ctx, client.Kube, s.terms)
}

// begin returns the answers once the key's is there. Where neither the answers nor the nodes
// know of a GPU, it ends the check as not applicable, whatever else is left out.
func (s *section) begin(ctx context.Context, key string) answers.GPU {
	file := check.Answers()
	none := file.Cluster.GPUNodes != nil && *file.Cluster.GPUNodes == 0
	if !none {
		check.Require(key)
	}
	if s.fleet == nil {
		target := check.Cluster()
		check.Step("list the nodes")
		s.survey(ctx, throwaway.Client{Kube: target.Client, Dynamic: target.Dynamic})
	}
	check.NoError(s.failed, "list the nodes")
	if none && len(s.fleet.nodes) == 0 {
		check.NotApplicable("cluster.gpuNodes is 0, and no node has a GPU")
	}
	check.Require(key)
	s.confess()
	if left := s.fleet.leftOut; len(left) > 0 {
		check.Evidence("left out, since their GPUs are not for notebooks", left)
	}
	return file.GPU
}

// confess records what only stands for a real GPU, and by whose word.
func (s *section) confess() {
	for _, n := range s.fleet.nodes {
		if n.simulated != "" {
			check.Evidence("simulated", n.simulated)
			return
		}
	}
	for _, t := range s.trials() {
		if t.outcome == measured && t.result.Simulated {
			check.Evidence("simulated", "the GPU of node "+t.node.name+" says so: "+devices(t.result))
			return
		}
	}
	for _, n := range s.fleet.nodes {
		if simulatedModel(n.product) {
			check.Evidence("simulated", "the GPU of node "+n.name+", by its label: "+n.product)
			return
		}
	}
}

// trials are the smoke jobs, the one in the notebook image not among them.
func (s *section) trials() []*trial {
	if s.smoke == nil {
		return nil
	}
	return s.smoke.trials
}

// requireGPU ends the check where no node has what pods ask for. That is item 1.2.3's failure,
// and so undecided for others.
func (s *section) requireGPU(gpu answers.GPU) {
	if f := s.absent(gpu); f != nil {
		check.NoError(finding.SeeItem(f, "1.2.3"), "find a GPU")
	}
}

// idle returns what keeps nodes from being tried, as findings that decide nothing; blocked tells
// whether nodes that the answers do not let pods onto count as well.
func (s *section) idle(expected string, blocked bool) []told {
	var all []told
	for _, n := range s.fleet.nodes {
		if why := n.obstacle(); why == unselected {
			all = append(all, told{n.name, finding.NotDecided(expected, "it was not tried: "+why, "throwaway pods go to selected nodes only, and GPU nodes are none of them",
				"leave out runner.nodeSelector, or answer one that GPU nodes meet as well")})
		} else if why != "" {
			all = append(all, told{n.name, finding.NotDecided(expected, "it was not tried: "+why, "the node takes no pods at the moment",
				"bring it back (kubectl describe node NAME, kubectl uncordon NAME), then run it again")})
		} else if blocked && len(n.blocking) > 0 {
			all = append(all, told{n.name, finding.NotDecided(expected, "it was not tried: tainted "+names(n.blocking), "gpu.taints does not tolerate it", "see item 1.2.5")})
		}
	}
	return all
}

// report ends the check with the finding, if there is one.
func report(f *finding.Finding) {
	if f != nil {
		check.NoError(f, "")
	}
}
