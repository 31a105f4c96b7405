"""Bad inputs of rexdense train, demo and depth-baseline."""

from tests.cli.bad_inputs.row import Bad

__all__ = ['TRAINING']

_DAMAGED = 'cannot be decoded: it is damaged or no image; replace it or take it'
_UNWRITABLE = r'--work-dir mine\.txt/x cannot be written \(Not a directory\); choose another folder'
_NOT_SUCH_CLASS = r"val has 1 classes that are not among the 3 .*first 'white'"
_NO_RANK = dict.fromkeys(('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'))
_CHOSEN = 'train CLASSIFIER --data-root folders SMALL'

_OPTIONS = [
    Bad('train', 'arguments are required: config'),
    Bad('trian DETECTOR', "no program 'trian': did you mean 'train'"),
    Bad('train configs/rexnet/faster.py', r'no config file configs/rexnet/faster\.py: '),
    Bad('train empty', 'no config file empty: it is a folder; give a file'),
    Bad('train configs/torn.py', r'torn\.py'),
    Bad('train configs/raising.py', r'raising\.py.*wrong'),
    Bad('train configs/orphan.py', r'orphan\.py'),
    Bad('train configs/binary.py', r'binary\.py'),
    Bad('train configs/index.py', r'index\.py cannot be read: IndexError'),
    Bad('train configs/bare.py RUN', r'bare\.py has no model, optim_wrapper, train_cfg, train_dat'),
    Bad('train DETECTOR --data-root shapes RUN --epoch 3', "unknown option '--epoch': did you mea"),
    Bad('train DETECTOR --data-root shapes RUN stray', "unexpected argument 'stray'"),
    *(
        Bad(f'train DETECTOR --data-root shapes RUN {option} {text}', f'{option}: {said}')
        for option, text, said in (
            ('--lr', '0', "'0': give a number above 0"),
            ('--lr', 'fast', "'fast': give a number above 0"),
            ('--lr', 'nan', "'nan': give a number above 0"),
            ('--epochs', '0', "'0': give a whole number above 0"),
            ('--epochs', '1e3', "'1e3': give a whole number above 0"),
            ('--batch-size', '-2', "'-2': give a whole number above 0"),
            ('--workers', '-1', "'-1': give a whole number of 0 or more"),
            ('--seed', '4294967296', "'4294967296': give a whole number from 0 to 4294967295"),
            ('--scale', '64', "'64' is no size: give width,height"),
            ('--scale', '0x64', "'0x64' is no size: give width,height"),
            ('--checkpoint-every', '10', "'10': give steps, such as 500i, or minutes"),
            ('--wait-for-disk', '0', "'0': give a number above 0"),
            ('--wait-for-disk', 'inf', "'inf': give a number above 0"),
            ('--wait-for-disk', '1h', "'1h': give a number above 0"),
            ('--accumulate', '0', "'0': give a whole number above 0"),
            ('--accumulate', '1.5', "'1.5': give a whole number above 0"),
            ('--early-stop', '0', "'0': give a whole number above 0"),
            ('--early-stop', 'never', "'never': give a whole number above 0"),
            ('--coco-backend', 'fast', "invalid choice: 'fast'"),
            ('--amp', 'fp8', "invalid choice: 'fp8'"),
            ('--launcher', 'lsf', "invalid choice: 'lsf'"),
        )
    ),
    Bad('train DETECTOR --data-root shapes RUN --wandb a/b', "'a/b': give the name of a project"),
    Bad("train DETECTOR --data-root shapes RUN --wandb ''", "'': give the name of a project"),
    Bad('train DETECTOR --data-root shapes RUN --with 9x', "'?9x'?"),
    Bad(f'{_CHOSEN} --coco-backend faster', r'measures by no rexdense\.CocoMetric; leave it out'),
    Bad(
        'train DETECTOR --data-root shapes RUN --early-stop 2 --cfg-options val_cfg=None '
        'val_dataloader=None val_evaluator=None',
        '--early-stop 2: the config validates by none of',
    ),
    *(
        Bad(
            f'{program} DETECTOR --data-root shapes {more} --cfg-options '
            'train_dataloader.dataset.pipeline.1.with_mask=True '
            f'train_dataloader.dataset.pipeline.3.type={transform}',
            f'{transform} of mmdet changes boxes and not the masks .*: use {advice}',
        )
        for program, more in (('train', 'RUN'), ('browse', '--out a.png'))
        for transform, advice in (('Mosaic', 'CachedMosaic'), ('RandomShift', 'TranslateX'))
    ),
    Bad('demo pretrain --early-stop 2', '--early-stop would end its runs at different steps'),
    Bad('demo pretrain --resume', 'no checkpoint in classifier, from_random'),
    Bad('demo moon', "invalid choice: 'moon'"),
    Bad('depth-baseline DETECTOR --data-root shapes', r'give a config of configs/depth/'),
    Bad(
        'depth-baseline DEPTH --data-root nowhere',
        'nowhere/images/train of the images is not there',
        1,
    ),
]

_DEVICES = [
    Bad('train DETECTOR --data-root shapes RUN --device gpu', "'gpu': allowed are auto, cpu, cuda"),
    Bad('train DETECTOR --data-root shapes RUN --device tpu', "'tpu': allowed are auto, cpu, cud"),
    Bad('train DETECTOR --data-root shapes RUN --device npu', "'npu' is not here: torch_npu is no"),
    Bad('train DETECTOR --data-root shapes RUN --amp fp16', 'on a CPU give --amp bf16'),
    Bad(
        'train DETECTOR --data-root shapes RUN --cfg-options optim_wrapper.type=AmpOptimWrapper',
        'type=AmpOptimWrapper of the config trains on accelerators alone; on a CPU give --amp bf16',
    ),
    *(
        Bad(f'train DETECTOR --data-root shapes RUN --launcher {name}', said, variables=_NO_RANK)
        for name, said in (
            ('pytorch', 'start with torchrun --nproc-per-node N'),
            ('slurm', 'needs the variables that srun sets'),
            ('mpi', 'needs the variables that Open MPI'),
        )
    ),
    Bad(
        'train DETECTOR --data-root shapes RUN --launcher pytorch --cfg-options '
        'model.neck.norm_cfg.type=SyncBN',
        r'batch normalisation over all processes \(SyncBN\) needs',
        variables=_NO_RANK,
    ),
    *(
        Bad(
            'train DETECTOR --data-root shapes RUN --launcher pytorch',
            f'{name}={text}: give a whole number',
            variables={'RANK': '0', 'WORLD_SIZE': '1', 'LOCAL_RANK': '0'} | {name: text},
        )
        for name, text in (('LOCAL_RANK', 'first'), ('WORLD_SIZE', ''), ('MASTER_PORT', 'any'))
    ),
    Bad(
        'train DETECTOR --data-root shapes RUN',
        "TORCHELASTIC_MAX_RESTARTS='many': give a whole number, or start the processes with torch",
        variables={'TORCHELASTIC_MAX_RESTARTS': 'many'},
    ),
    Bad(
        f'{_CHOSEN} --pretrained clovaai --cfg-options model.backbone.width_mult=1.0',
        r'REXDENSE_CACHE\) mine\.txt cannot be written',
        variables={'REXDENSE_CACHE': 'mine.txt'},
    ),
]

_VALUES = [
    Bad(f'train DETECTOR --data-root shapes RUN --cfg-options {value}', said, logs=logs)
    for value, said, logs in (
        ('lr', r'lr: give KEY=VALUE, such as train_cfg\.max_epochs=12', False),
        ("'a=[1,(2]'", 'give KEY=VALUE, such as', False),
        ("'a=f(1,2)'", 'give KEY=VALUE, such as', False),
        ("'a=dict(b=1,c=2)'", 'give the keys of a section one by one', False),
        ("'a=[dict(b=1)]'", 'give the keys of a section one by one', False),
        ('\'a={"b":1}\'', 'give the keys of a section one by one', False),
        ('\'a=[2,{"b":1}]\'', 'give the keys of a section one by one', False),
        ('model.nek.a=1', "has no 'nek' there; did you mean 'neck'", False),
        ('model.backbone.arch=rexnet_1.1', r"called 'rexnet_1\.1': did you mean 'rexnet_1\.", True),
        (
            'model.backbone.type=rexdense.RexNet',
            r"no model is called 'rexdense\.RexNet': did you mean 'rexdense\.Re",
            True,
        ),
        (
            'model.neck.out_chanels=16',
            "unexpected keyword argument 'out_chanels'; did you mean 'out_channels'",
            True,
        ),
        (
            'model.backbone.width=2',
            "takes no 'width': did you mean 'with_cp' or 'width_mult'",
            True,
        ),
        ('model.backbone.out_indices=[1,9]', '9 is no level', True),
        ('model.backbone.output_stride=7', 'output_stride', True),
        (
            'optim_wrapper.optimizer.type=SDG',
            "no optimizer is called 'SDG': did you mean 'SGD'",
            True,
        ),
        ('train_dataloader.dataset.type=Coco', 'Coco', False),
    )
]

_BOXES = [
    Bad('train DETECTOR --data-root nowhere RUN', 'root nowhere is not there; give the folder', 1),
    Bad('train DETECTOR --data-root nowhere RUN --dry-run', 'data root nowhere is not there', 1),
    Bad('train DETECTOR --data-root mine.txt RUN', r'mine\.txt', 1),
    Bad('train DETECTOR --data-root empty RUN', 'empty', 1),
    Bad('train DETECTOR --data-root coco RUN --images pictures', 'pictures is not there; give', 1),
    Bad('train DETECTOR --data-root coco RUN --classes bird', "has no class 'bird', which was", 1),
    *(
        Bad(f'train DETECTOR --data-root {folder} RUN', r'annotations/train\.json', 1)
        for folder in ('coco-none', 'coco-cut', 'coco-list', 'coco-twice', 'coco-binary')
    ),
    Bad('train DETECTOR --data-root coco-missing RUN', '2 of its 3 images are missing in ', 1),
    *(
        Bad(
            f'train DETECTOR --data-root {folder} RUN',
            f'{folder}/images/{split}/000001.png {said}',
            1,
        )
        for folder, split, said in (
            ('shapes-cut', 'val', _DAMAGED),
            ('shapes-text', 'val', _DAMAGED),
            (
                'shapes-val',
                'val',
                r'is 64 x 64 pixels \(width x height\), its annotation says 80 x',
            ),
            ('shapes-train', 'train', r'is 64 x 64 pixels \(width x height\), its annotation says'),
        )
    ),
    Bad(
        'train DETECTOR --data-root shapes-none RUN', 'none of the 6 images of .* can be used: ', 1
    ),
    Bad('train DETECTOR RUN HERE', 'shapes-text/images/val/000001.png cannot be decoded', 1, True),
    Bad('train DETECTOR --data-root shapes --device cpu --work-dir mine.txt/x', _UNWRITABLE),
    Bad(
        'train DETECTOR --data-root shapes --device cpu --work-dir earlier',
        r'\(epoch_1\.pth\): con',
    ),
    Bad('train DETECTOR --data-root shapes --device cpu --work-dir foreign', r'holds curves\.png'),
    Bad(
        'train DETECTOR --data-root shapes --device cpu --work-dir shapes/images', 'among the data'
    ),
    Bad('train DETECTOR --data-root shapes RUN --resume', '--resume'),
    *(
        Bad(f'train DETECTOR --data-root shapes RUN --load-from {file}', said, 1, True)
        for file, said in (
            ('nowhere.pth', r'nowhere\.pth is not there: check the path'),
            ('files/cut.pth', r'files/cut\.pth'),
            ('files/code.pth', r'files/code\.pth'),
            ('files/labels.pth', 'does not fit this model'),
        )
    ),
    Bad('train DETECTOR --data-root shapes RUN --pretrained clovay', 'clovay'),
    Bad("train DETECTOR --data-root shapes RUN --pretrained ''", "--pretrained: '' is empty"),
    Bad("train DETECTOR --data-root shapes RUN --load-from ''", "--load-from: '' is empty"),
]

_CLASSES = [
    *(
        Bad(f'train CLASSIFIER --data-root {folder} SMALL', said, 1)
        for folder, said in (
            (
                'folders-no-train',
                'train is not there; an image folder holds train/<class>/ and val',
            ),
            ('folders-no-classes', 'train holds no folders; it must hold one for each class'),
            ('folders-no-images', r'no image below .*train; looked for \.jpg, '),
            ('folders-no-red', r'train has no image of 1 of the 3 classes \(red\): put some there'),
            ('folders-one', r'train has one class only \(blue\); give at least two'),
            ('folders-white', _NOT_SUCH_CLASS),
            ('list-seven', r'1.png has the label 7, but there are 3 classes, 0 to 2'),
            ('list-absent', r'1 of 2 images that are not in .*train \(first x\.png\)'),
            ('list-rod', "the class 'rod' is not known: did you mean 'red'"),
            ('list-short', r'train\.txt, line 1: give an image and its class'),
            ('list-none', r'train\.csv lists no image'),
        )
    ),
    Bad(
        f'{_CHOSEN} --batch-size 1 --cfg-options NARROW '
        'model.batch_augments.type=rexdense.BatchMix model.batch_augments.mixup=0.2',
        'mix the images of a batch, and each has one: give --batch-size 2 or more',
    ),
    *(
        Bad(
            f'{_CHOSEN} --cfg-options NARROW train_dataloader.dataset.pipeline.2.policy={policy}',
            f"policy='{policy}' is not understood; it is rand-",
            logs=True,
        )
        for policy in ('rand-m9-x3', 'randaugment')
    ),
    Bad(f'{_CHOSEN} --scale 32,48', '--scale 32,48: classifiers take squares; give 32,32'),
    Bad(f'{_CHOSEN} --classes red', '--classes goes with folders in COCO form; classes are the fo'),
    Bad(
        f'{_CHOSEN} --cfg-options NARROW model.loss=mse',
        "loss='mse': give one of cross_",
        logs=True,
    ),
    Bad(
        'train CLASSIFIER SMALL --cfg-options NARROW train_dataloader.dataset.data_root=folders '
        'val_dataloader.dataset.data_root=folders',
        r'num_classes=1000, the training data 3 classes \(blue, green, red\): set num_classes in ',
        logs=True,
    ),
]

_MAPS = [
    Bad(f'train {name} --data-root {folder} RUN', said, 1)
    for name, folder, said in (
        ('SEGMENTOR', 'maps-no-names', r'classes\.txt'),
        ('SEGMENTOR', 'maps-empty-names', r'classes\.txt'),
        ('SEGMENTOR', 'maps-no-labels', 'labels/train'),
        ('SEGMENTOR', 'maps-one-missing', r'0\.png|labels'),
        ('SEGMENTOR', 'maps-seven', '7'),
        ('SEGMENTOR', 'maps-sizes', r'0\.png'),
        ('SEGMENTOR', 'maps-text', r'0\.png'),
        ('DEPTH', 'maps', 'depth'),
    )
]

TRAINING = [*_OPTIONS, *_DEVICES, *_VALUES, *_BOXES, *_CLASSES, *_MAPS]
