tuned run experiment.yaml --progress none
printf 'lr,opt,acc,status\n0.1,adam,0.8,finished\n0.01,sgd,0.9,finished\n0.02,sgd,,crashed\n' >runs.csv
