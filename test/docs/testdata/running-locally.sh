sed 's/reference: lr/reference: learning_rate/; s/name: lr/name: learning_rate/; s/trialParameters.lr/trialParameters.learning_rate/; s/--lr=/--lr=/; s#example.com/mnist#docker.io/kubeflowkatib/pytorch-mnist-cpu:latest#; s/\[python3, train.py,/[python3, \/opt\/mnist.py,/' experiment.yaml >mnist.yaml
mv train.py mnist.py
