cat >train.py <<'PY'
import sys
import torch

epochs, model, calls = int(sys.argv[1]), torch.nn.Linear(1, 1), 0

def train(model):
    with torch.no_grad():
        model.weight += 1
    global calls
    calls += 1

PY
sed -n '/^```python$/,/^```$/{/^```/d;p}' "$SOURCE/docs/checkpoints.md" >>train.py
echo 'print(f"calls={calls} loss={1 / epoch}")  # what the parent has trained is not trained anew' >>train.py
cat >children.yaml <<'YAML'
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata:
  name: children
spec:
  objective: {type: minimize, objectiveMetricName: loss, additionalMetricNames: [calls]}
  algorithm: {algorithmName: asha, algorithmSettings: [{name: resource_name, value: until}]}
  maxTrialCount: 4
  parallelTrialCount: 1
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: "0.0001", max: "1", distribution: logUniform}}
    - {name: until, parameterType: int, feasibleSpace: {min: "1", max: "9"}}
YAML
tuned run children.yaml -- python3 train.py '${trialParameters.until}'
