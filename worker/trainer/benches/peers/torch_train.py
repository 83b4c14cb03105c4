"""Plain SGD in PyTorch, eager, one thread; batches are gathered from one tensor."""

import time

import torch

import mnist

args = mnist.arguments()
torch.set_num_threads(1)
images, labels = (torch.from_numpy(part) for part in mnist.train_set())
labels = labels.long()
widths = [784, *args.hidden]
layers = []
for n_in, n_out in zip(widths, widths[1:]):
    layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
model = torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], 10))
loss_of = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=args.learning_rate)


def epoch():
    for rows in torch.randperm(len(images)).split(args.batch_size):
        optimizer.zero_grad(set_to_none=True)
        loss_of(model(images[rows]), labels[rows]).backward()
        optimizer.step()


seconds = []
for _ in range(args.epochs):
    start = time.process_time()
    epoch()
    seconds.append(time.process_time() - start)
mnist.report(f"PyTorch {torch.__version__}, eager", seconds)
