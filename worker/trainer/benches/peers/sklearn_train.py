"""Plain SGD in scikit-learn's MLPClassifier, one thread."""

import os
import time
import warnings

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import sklearn
from sklearn.neural_network import MLPClassifier

import mnist

args = mnist.arguments()
warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
images, labels = mnist.train_set()
model = MLPClassifier(
    args.hidden,
    solver="sgd",
    batch_size=args.batch_size,
    learning_rate_init=args.learning_rate,
    momentum=0,
    alpha=0,
    max_iter=1,
    warm_start=True,
)
seconds = []
for _ in range(args.epochs):
    start = time.process_time()
    model.fit(images, labels)
    seconds.append(time.process_time() - start)
mnist.report(f"scikit-learn {sklearn.__version__}, MLPClassifier", seconds)
